-- KEYS: record. ARGV: the user whose it must be, or nothing.
local kind = redis.call('HGET', KEYS[1], 'kind')
if not kind or kind == 'tombstone' then
  return 'gone'
end
local user = redis.call('HGET', KEYS[1], 'user')
if ARGV[1] and not (kind == 'user' and user == ARGV[1]) then
  return 'other'
end
redis.call('UNLINK', KEYS[1])
return { kind, user }
