// A content and a style image in, the pastiche out, by MindSpore Lite on an Ascend card.
//
//   style_transfer PREDICTOR.mindir TRANSFER.mindir CONTENT.ppm STYLE.ppm OUT.ppm [DEVICE_ID]
//
// Pictures are binary PPM of 8 bits, which needs no library. The style is taken as it is: give it at 256 x 256, or at
// the size that the predictor was converted for. Written to the documented API of MindSpore Lite 2.x; not run on
// hardware.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "include/api/context.h"
#include "include/api/model.h"
#include "include/api/status.h"
#include "include/api/types.h"

namespace {
constexpr int kChannels = 3;
constexpr int kMultiple = 4;  // the transfer network halves the sides twice
constexpr int kSmallest = 16;

struct Picture {
  int height = 0;
  int width = 0;
  std::vector<uint8_t> pixels;  // rows of RGB
};

Picture ReadPpm(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::string magic;
  Picture picture;
  int most = 0;
  if (!(file >> magic >> picture.width >> picture.height >> most) || magic != "P6" || most != 255 ||
      picture.width < 1 || picture.height < 1) {
    throw std::runtime_error(path + ": expected a binary PPM (P6) of 8 bits, without comments");
  }
  file.get();
  picture.pixels.resize(static_cast<size_t>(picture.height) * picture.width * kChannels);
  if (!file.read(reinterpret_cast<char *>(picture.pixels.data()), picture.pixels.size())) {
    throw std::runtime_error(path + ": is cut off");
  }
  return picture;
}

void WritePpm(const std::string &path, const Picture &picture) {
  std::ofstream file(path, std::ios::binary);
  file << "P6\n" << picture.width << " " << picture.height << "\n255\n";
  file.write(reinterpret_cast<const char *>(picture.pixels.data()), picture.pixels.size());
  if (!file.flush()) {
    throw std::runtime_error(path + ": can't be written");
  }
}

// The index in [0, length) that an index beyond the end reflects to, as often as need be.
int Reflect(int index, int length) {
  if (length == 1) {
    return 0;
  }
  const int period = 2 * (length - 1);
  const int within = index % period;
  return within < length ? within : period - within;
}

// The side that the network takes for one of so many pixels.
int PaddedSide(int side) {
  const int padded = (side + kMultiple - 1) / kMultiple * kMultiple;
  return padded < kSmallest ? kSmallest : padded;
}

// RGB in [0, 1], channel after channel, reflected at the bottom and on the right up to height x width.
std::vector<float> ToNetwork(const Picture &picture, int height, int width) {
  std::vector<float> planes(static_cast<size_t>(kChannels) * height * width);
  size_t at = 0;
  for (int channel = 0; channel < kChannels; ++channel) {
    for (int y = 0; y < height; ++y) {
      const size_t row = static_cast<size_t>(Reflect(y, picture.height)) * picture.width;
      for (int x = 0; x < width; ++x) {
        const size_t pixel = row + Reflect(x, picture.width);
        planes[at++] = picture.pixels[pixel * kChannels + channel] / 255.0f;
      }
    }
  }
  return planes;
}

// The upper left height x width of planes whose rows have `stride` and columns `rows` numbers.
Picture ToPicture(const std::vector<float> &planes, int rows, int stride, int height, int width) {
  Picture picture{height, width, std::vector<uint8_t>(static_cast<size_t>(height) * width * kChannels)};
  size_t at = 0;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int channel = 0; channel < kChannels; ++channel) {
        const float value = planes[(static_cast<size_t>(channel) * rows + y) * stride + x] * 255.0f;
        picture.pixels[at++] = static_cast<uint8_t>(std::nearbyint(value < 0 ? 0 : value > 255 ? 255 : value));
      }
    }
  }
  return picture;
}

class Network {
 public:
  Network(const std::string &path, uint32_t device_id) : path_(path) {
    auto context = std::make_shared<mindspore::Context>();
    auto ascend = std::make_shared<mindspore::AscendDeviceInfo>();
    ascend->SetDeviceID(device_id);
    ascend->SetPrecisionMode("enforce_fp32");
    context->MutableDeviceInfo().push_back(ascend);
    if (model_.Build(path, mindspore::ModelType::kMindIR, context) != mindspore::kSuccess) {
      throw std::runtime_error(path + ": MindSpore Lite can't read it");
    }
  }

  // The output for inputs of these names, values and shapes.
  struct Input {
    std::string name;
    std::vector<float> values;
    std::vector<int64_t> shape;
  };

  std::vector<float> operator()(const std::vector<Input> &given) {
    auto tensors = model_.GetInputs();
    std::vector<std::vector<int64_t>> shapes;
    for (const auto &tensor : tensors) {
      shapes.push_back(Find(given, tensor.Name()).shape);
    }
    if (model_.Resize(tensors, shapes) != mindspore::kSuccess) {
      throw std::runtime_error(path_ + ": does not take pictures of this size; convert it with --sizes");
    }
    tensors = model_.GetInputs();
    for (auto &tensor : tensors) {
      const auto &values = Find(given, tensor.Name()).values;
      if (tensor.DataSize() != values.size() * sizeof(float)) {
        throw std::runtime_error(path_ + ": input " + tensor.Name() + " has another size");
      }
      std::memcpy(tensor.MutableData(), values.data(), tensor.DataSize());
    }
    std::vector<mindspore::MSTensor> outputs;
    if (model_.Predict(tensors, &outputs) != mindspore::kSuccess || outputs.empty()) {
      throw std::runtime_error(path_ + ": can't be run");
    }
    const auto *first = static_cast<const float *>(outputs[0].Data().get());
    return std::vector<float>(first, first + outputs[0].DataSize() / sizeof(float));
  }

 private:
  const Input &Find(const std::vector<Input> &given, const std::string &name) const {
    for (const auto &input : given) {
      if (input.name == name) {
        return input;
      }
    }
    throw std::runtime_error(path_ + ": takes " + name + ", which this program does not know");
  }

  std::string path_;
  mindspore::Model model_;
};

int Run(int argc, char **argv) {
  if (argc != 6 && argc != 7) {
    std::cerr << "usage: style_transfer PREDICTOR.mindir TRANSFER.mindir CONTENT.ppm STYLE.ppm OUT.ppm [DEVICE_ID]\n";
    return 2;
  }
  const auto device_id = static_cast<uint32_t>(argc == 7 ? std::strtoul(argv[6], nullptr, 10) : 0);
  const Picture content = ReadPpm(argv[3]);
  const Picture style = ReadPpm(argv[4]);
  Network predictor(argv[1], device_id);
  Network transfer(argv[2], device_id);
  const auto embedding =
      predictor({{"style", ToNetwork(style, style.height, style.width), {1, kChannels, style.height, style.width}}});
  const int height = PaddedSide(content.height);
  const int width = PaddedSide(content.width);
  const auto pastiche = transfer({{"content", ToNetwork(content, height, width), {1, kChannels, height, width}},
                                  {"embedding", embedding, {1, static_cast<int64_t>(embedding.size())}}});
  if (pastiche.size() != static_cast<size_t>(kChannels) * height * width) {
    throw std::runtime_error(std::string(argv[2]) + ": gives a picture of another size");
  }
  WritePpm(argv[5], ToPicture(pastiche, height, width, content.height, content.width));
  return 0;
}
}  // namespace

int main(int argc, char **argv) {
  try {
    return Run(argc, argv);
  } catch (const std::exception &error) {
    std::cerr << "error: " << error.what() << "\n";
    return 2;
  }
}
