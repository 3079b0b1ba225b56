"""The label's typeface, as package data: a subset of Noto Sans CJK SC Bold under the SIL Open Font License (OFL.txt)."""
