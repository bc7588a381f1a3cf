"""How a model is trained: its data on the device, augmentation, the loop, and what it records."""
