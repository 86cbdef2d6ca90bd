-- Back to the first edition's schema. Rows that only the second edition can describe are refused, not dropped.

select 1;
