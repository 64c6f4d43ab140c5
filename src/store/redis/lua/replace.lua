-- KEYS: record, its user's index where there is one on this node. ARGV: token, handle, record, the version expected,
-- whether the session was put into an index on another node.
local key = KEYS[1]
local version = field(key, 'version')
if not version then
  return 'gone'
end
if is_mine(key) then
  return 'stored'
end
if version ~= ARGV[10] then
  return 'conflict'
end

local kind, user, listed_until = ARGV[6], ARGV[7], ARGV[8]
local is_listed = field(key, 'kind') == 'user' and field(key, 'user') == user
  and tonumber(field(key, 'listed_until')) >= tonumber(listed_until)
if kind == 'user' and not is_listed then
  if KEYS[2] then
    enlist_record(KEYS[2], 3)
  elseif ARGV[11] ~= 'listed' then
    return 'unlisted'
  end
end
write(key, 3, field(key, 'tokens'))
return 'stored'
