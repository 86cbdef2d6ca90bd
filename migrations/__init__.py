"""Hand-written SQL, run in order by aerich under an advisory lock."""
