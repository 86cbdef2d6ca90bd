"""How documents are checked, executed and answered; the types by subject stand beside this package."""
