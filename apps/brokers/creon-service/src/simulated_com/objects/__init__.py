"""The COM objects by ProgID, found whatever the case of its letters."""
