-- KEYS: old record, new record, the user's index if there is a user. ARGV: new record, the time it has left, the
-- tombstone from its token on, the time that has left, the version expected of the old record.
local old, new = KEYS[1], KEYS[2]
if redis.call('EXISTS', new) == 1 then
  return was_created(new, ARGV[1]) and 'stored' or 'conflict'
end
local record, answer = head(old)
if not record then
  return answer
end
if record.version ~= ARGV[5] then
  return 'conflict'
end
if KEYS[3] then
  enlist_record(KEYS[3], new, words(ARGV[1]), ARGV[2])
  redis.call('ZREM', KEYS[3], handle(old))
end
redis.call('SET', new, ARGV[1], 'PX', ARGV[2])
redis.call('SET', old, string.sub(record.tokens, 17) .. ARGV[3], 'PX', ARGV[4])
return 'stored'
