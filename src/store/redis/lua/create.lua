-- KEYS: record, its user's index where there is one on this node. ARGV: token, handle, record.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return is_mine(KEYS[1]) and 'stored' or 'taken'
end
if KEYS[2] then
  enlist_record(KEYS[2], 3)
end
write(KEYS[1], 3, '')
return 'stored'
