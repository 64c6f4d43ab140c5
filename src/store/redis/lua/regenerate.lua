-- KEYS: old record, new record, the user's index if there is a user. ARGV: token, new handle, new record, the version
-- expected of the old one, old handle, tombstone.
local old, new = KEYS[1], KEYS[2]
if redis.call('EXISTS', new) == 1 then
  return is_mine(new) and 'stored' or 'conflict'
end
local version = field(old, 'version')
if not version then
  return 'gone'
end
if version ~= ARGV[10] then
  return 'conflict'
end
if KEYS[3] then
  enlist_record(KEYS[3], 3)
  redis.call('ZREM', KEYS[3], ARGV[11])
end
write(new, 3, '')
write(old, 12, field(old, 'tokens'))
return 'stored'
