"""View models as lines of coloured text: pure, so that every row can be tested as the text it is."""
