// A stand-in for MindSpore Lite's headers: the calls that deploy/mindspore_lite_cpp makes, with a model that gives the
// content darkened by the mean of the style. A file with "predictor" in its name is the predictor.
#pragma once
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace mindspore {
enum StatusCode { kSuccess = 0, kFailed = 1 };
class Status {
 public:
  Status(StatusCode code) : code_(code) {}  // NOLINT: implicit, as in MindSpore
  bool operator!=(StatusCode other) const { return code_ != other; }

 private:
  StatusCode code_;
};
enum class ModelType { kMindIR = 0 };
class DeviceInfoContext {
 public:
  virtual ~DeviceInfoContext() = default;
};
class AscendDeviceInfo : public DeviceInfoContext {
 public:
  void SetDeviceID(uint32_t) {}
  void SetPrecisionMode(const std::string &) {}
};
class Context {
 public:
  std::vector<std::shared_ptr<DeviceInfoContext>> &MutableDeviceInfo() { return devices_; }

 private:
  std::vector<std::shared_ptr<DeviceInfoContext>> devices_;
};
class MSTensor {
 public:
  MSTensor(const std::string &name, size_t count) : name_(name), data_(new std::vector<float>(count)) {}
  std::string Name() const { return name_; }
  void *MutableData() { return data_->data(); }
  std::shared_ptr<const void> Data() const { return std::shared_ptr<const void>(data_, data_->data()); }
  size_t DataSize() const { return data_->size() * sizeof(float); }
  std::vector<float> &values() { return *data_; }

 private:
  std::string name_;
  std::shared_ptr<std::vector<float>> data_;
};
class Model {
 public:
  Status Build(const std::string &path, ModelType, const std::shared_ptr<Context> &context) {
    predicts_ = path.find("predictor") != std::string::npos;
    inputs_ = predicts_ ? std::vector<MSTensor>{{"style", 0}} : std::vector<MSTensor>{{"content", 0}, {"embedding", 0}};
    return std::ifstream(path).good() && context->MutableDeviceInfo().size() == 1 ? kSuccess : kFailed;
  }
  std::vector<MSTensor> GetInputs() { return inputs_; }
  Status Resize(const std::vector<MSTensor> &inputs, const std::vector<std::vector<int64_t>> &shapes) {
    for (size_t i = 0; i < shapes.size(); ++i) {
      size_t count = 1;
      for (auto side : shapes[i]) count *= side;
      if (shapes[i].size() == 4 && (shapes[i][2] % 4 || shapes[i][3] % 4)) return kFailed;
      inputs_[i] = MSTensor(inputs[i].Name(), count);
    }
    return kSuccess;
  }
  Status Predict(const std::vector<MSTensor> &inputs, std::vector<MSTensor> *outputs) {
    auto first = inputs[0];
    if (predicts_) {
      float sum = 0;
      for (float value : first.values()) sum += value;
      outputs->push_back(MSTensor("embedding", 1));
      outputs->back().values()[0] = sum / first.values().size();
      return kSuccess;
    }
    auto embedding = inputs[1];
    outputs->push_back(MSTensor("pastiche", first.values().size()));
    for (size_t i = 0; i < first.values().size(); ++i) {
      outputs->back().values()[i] = first.values()[i] * embedding.values()[0];
    }
    return kSuccess;
  }

 private:
  bool predicts_ = false;
  std::vector<MSTensor> inputs_;
};
}  // namespace mindspore
