"""The few sentences the toy model has read: its vocabulary and its word statistics come from here alone.

Knows nothing about models, tensors or tokens.
"""

TOY_TEXT = """\
The capital of France is Paris, and the capital of Italy is Rome. The capital of Spain is Madrid.
Once upon a time there was a small dragon who lived in a cave above the sea. The dragon was not
afraid of the dark, but the dragon was afraid of the rain. Every night the dragon looked at the moon
and asked the moon a question. The moon never answered, and the dragon went back to the cave.
They decided to name their daughter Anna. They decided to name their daughter Maria. They decided to
name their son Peter. They decided to go home before the rain came. They decided to wait for the sun.
The plane landed in Rome in the morning. The plane was late, and the people were not happy about it.
A king and a queen lived in a house of stone. The king had a ship, and the queen had a garden. The
king said that the sea was a friend. The queen said that the garden was the heart of the house.
If it rains, the river grows. If the river grows, the bridge is closed. If the bridge is closed, the
people walk over the hill. The hill is green in the spring and white in the winter.
One and one is two. Two and two is four. Four and four is eight. I think that the answer is four.
I think that the sun is a star. I think that the moon is a stone. I do not know what the sea is.
A language model reads the words and gives every next word a number. The numbers are added up and
one word is drawn. Then the model reads the words again, and one more word is drawn.
The people of the small town said that the dragon was a friend. The dragon and the people lived in
the town for a long time, and in the end the dragon was happy.
"""
