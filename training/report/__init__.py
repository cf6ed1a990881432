"""What a training run or a backtest found, as lines, figures and one page."""
