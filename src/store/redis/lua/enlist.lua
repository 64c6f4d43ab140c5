-- KEYS: index. ARGV: nothing, handle, the time until no touch can keep the session alive any longer.
enlist(KEYS[1], handle, tonumber(ARGV[3]))
return 'stored'
