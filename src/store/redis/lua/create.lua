-- KEYS: record, its user's index where there is one on this node. ARGV: record, the time it has left.
if not KEYS[2] then
  if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
    return 'stored'
  end
elseif redis.call('EXISTS', KEYS[1]) == 0 then
  enlist_record(KEYS[2], KEYS[1], words(ARGV[1]), ARGV[2])
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 'stored'
end
return was_created(KEYS[1], ARGV[1]) and 'stored' or 'taken'
