# Watches a print through fiddle, which reads the header: ruby watch.rb LIBRARY HEADER ENDPOINT FRAMES_DIR
require "fiddle/import"

module Oe # what the header declares: enumerators, structures, functions
  extend Fiddle::Importer
  dlload ARGV[0]
  { "oe_status" => "int32_t", "oe_log_fn" => "void *" }.each { |name, type| typealias name, type }
  header = File.read(ARGV[1]).gsub(%r{/\*.*?\*/}m, "").gsub("OE_CALL ", "").gsub(/\n +/, " ")
    .gsub(/oe_region (\w+)\[8\];/, 'uint16_t \1[32];').gsub(/oe_region (\w+);/, 'uint16_t \1[4];')
  header.scan(/(OE_\w+) = (-?\d+)/) { |name, value| const_set(name, value.to_i) }
  header.scan(/^typedef struct oe_(\w+) {(.+); *$/) { |name, body| const_set(name.capitalize, struct(body.split(";"))) }
  header.scan(/^OE_API (.+);/) { |(function)| extern function }
  Handle = struct(["void *number"])
  def self.check(status) = status < OE_OK ? abort(oe_status_text(status).to_s) : status
end
FREE = Fiddle::RUBY_FREE
options, client, monitor = Oe.oe_options_new, Oe::Handle.malloc(FREE), Oe::Handle.malloc(FREE)
Oe.check Oe.oe_options_set_api_key(options, ENV.fetch("OE_API_KEY"))
Oe.check Oe.oe_options_set_endpoint(options, ARGV[2])
Oe.check Oe.oe_options_set_allow_http(options, 1)
Oe.check Oe.oe_options_set_interval_sec(options, 5)
Oe.check Oe.oe_client_new(options, client)
Oe.check Oe.oe_monitor_start(client.number, 0, 0, 1, monitor)
frames = Dir[File.join(ARGV[3], "*.jpg")].sort.cycle
event, result, error = [Oe::Event, Oe::Result, Oe::Error].map { |kind| kind.malloc(FREE).tap { |made| made.struct_size = kind.size } }
until event.kind == Oe::OE_EVENT_PAUSE # a second at a time, so that Ctrl-C gets its turn
  next if Oe.check(Oe.oe_client_next_event(client.number, 1000, event, result, error)) == Oe::OE_NO_EVENT
  case event.kind
  when Oe::OE_EVENT_FRAME_WANTED
    jpeg = File.binread(frames.next)
    Oe.check Oe.oe_monitor_submit(monitor.number, jpeg, jpeg.bytesize, 0)
  when Oe::OE_EVENT_RESULT then puts "quality #{result.print_quality} score #{result.score}"
  when Oe::OE_EVENT_WARNING then puts "warning"
  when Oe::OE_EVENT_ERROR then puts "error: #{error.text.pack("c*").unpack1("Z*")}"
  end
end
puts "pause"
Oe.oe_monitor_free(monitor.number)
Oe.oe_client_free(client.number)
Oe.oe_options_free(options)
