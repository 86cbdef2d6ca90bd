"""Lists and single objects as the API reads them, with one statement for a page of any length."""
