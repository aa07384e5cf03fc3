"""The process tree of one machine: servers, web, workers, beat, and who watches them."""
