"""How root fields are answered: translate in, call one verb, translate out."""
