"""`make demo`: a month of three customers, from real calls to invoices, on its own gateway."""
