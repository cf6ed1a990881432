"""Currencies by the minor units that they have: ISO 4217's list, and the prices that are whole in use."""

NO_MINOR_UNIT = (
    *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"),
    *("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
)
THREE_DECIMALS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
WHOLE_IN_USE = ("HUF", "IDR", "TWD")  # they have a minor unit by ISO 4217, and nobody prices in it
