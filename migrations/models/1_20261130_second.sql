-- The second edition, added to databases that have lived: every statement keeps the rows that are there.

select 1;
