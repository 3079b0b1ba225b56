"""The signed manifest (C2PA 2.2, claim v2): what was done, from what, with whose consent by hash; no names, no pictures."""
