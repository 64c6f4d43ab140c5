-- KEYS: the key. ARGV: the bytes that it has to have.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 'conflict'
end
redis.call('UNLINK', KEYS[1])
return 'stored'
