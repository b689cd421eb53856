-- Asks for one path after the other: `wrk -s fetch.lua URL -- FILE KEY`.
-- FILE has a path on each line, and after a tab the entity tag to send, if any.
local asks, at = {}, 0

function init(args)
  for line in io.lines(args[1]) do
    local path, tag = line:match("^([^\t]+)\t?(.*)$")
    local headers = { Authorization = "Bearer " .. args[2] }
    if tag ~= "" then headers["If-None-Match"] = tag end
    asks[#asks + 1] = wrk.format("GET", path, headers)
  end
end

function request()
  at = at % #asks + 1
  return asks[at]
end
