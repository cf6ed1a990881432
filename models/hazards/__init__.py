"""Monthly hazards: which rows an outcome could come to, the learners of its log-odds, their level and calibration."""
