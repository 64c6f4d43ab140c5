-- KEYS: index. ARGV: handle, the time until no touch can keep the session alive any longer.
enlist(KEYS[1], ARGV[1], tonumber(ARGV[2]))
return 'stored'
