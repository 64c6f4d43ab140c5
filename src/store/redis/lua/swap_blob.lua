-- KEYS: the key. ARGV: the bytes that it has to have, the new ones, and when it ends.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 'conflict'
end
redis.call('SET', KEYS[1], ARGV[2], 'PXAT', ARGV[3])
return 'stored'
