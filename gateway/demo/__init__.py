"""`make demo`: one month of three customers, from real calls to invoices, on a gateway of its own."""
