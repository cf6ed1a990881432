"""The watch over the model in charge: its data, its inputs and its calibration, and what is to be done."""
