"""The words for what makes photos hard, wherever people read them."""

TRAIT_TITLES = {"small": "small person", "cut": "cut by the frame", "grey": "greyscale", "glare": "glare"}
