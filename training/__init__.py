"""Fit, backtest, record."""
