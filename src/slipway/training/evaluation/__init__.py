"""What a bundle says of its twin: everything that is measured on the rows held out."""
