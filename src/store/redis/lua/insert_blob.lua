-- KEYS: the key. ARGV: its bytes, and when it ends.
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PXAT', ARGV[2]) then
  return 'stored'
end
return 'exists'
