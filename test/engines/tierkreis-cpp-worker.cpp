// A compiled worker in the manner of Tierkreis's tutorial: the only argument is the path of the call's arguments, and every path in
// them is taken to be below the default checkpoints directory.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>

static std::string root() { return std::string(std::getenv("HOME")) + "/.tierkreis/checkpoints/"; }

static std::string read(const std::string &path) {
  std::ifstream file(root() + path);
  if (!file) {
    std::cerr << "cannot open " << root() + path << std::endl;
    std::exit(1);
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

// The text of the member `key` of the object that is the member `in`.
static std::string member(const std::string &json, const std::string &in, const std::string &key) {
  std::size_t at = json.find('"' + in + '"');
  at = json.find('"' + key + '"', json.find('{', at));
  at = json.find('"', json.find(':', at)) + 1;
  return json.substr(at, json.find('"', at) - at);
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  std::string call = read(argv[1]);
  std::istringstream values(read(member(call, "inputs", "value")).substr(1));
  std::ostringstream doubled;
  doubled << '[';
  char separator = ',';
  for (long value; separator == ',' && values >> value >> separator;) doubled << (doubled.tellp() > 1 ? "," : "") << 2 * value;
  doubled << ']';
  std::ofstream out(root() + member(call, "outputs", "value"));
  out << doubled.str();
  std::cout << "doubled" << std::endl;
  return out.flush() ? 0 : 1;
}
