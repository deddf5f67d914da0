"""Small tasks on openly licensed real data, and the programs that make and grade them."""
