// The engine benchmark's baselines: the operators called from C++, each repeated inside one native call.
#include <torch/torch.h>

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT void bare_add(int repeats) {
  auto a = torch::ones({2, 2}), b = torch::ones({2, 2});
  for (int i = 0; i < repeats; i++) auto c = a + b;
}

EXPORT void bare_matmul(int repeats) {
  auto a = torch::ones({64, 64}), b = torch::ones({64, 64});
  for (int i = 0; i < repeats; i++) auto c = a.matmul(b);
}

EXPORT void bare_mlp(int repeats) {
  auto x = torch::randn({64, 64});
  std::vector<at::Tensor> weights, biases;
  for (int i = 0; i < 20; i++) {
    weights.push_back(torch::randn({64, 64}).mul_(0.125).requires_grad_());
    biases.push_back(torch::zeros({64}).requires_grad_());
  }
  for (int i = 0; i < repeats; i++) {
    auto h = x;
    for (int l = 0; l < 20; l++) h = at::gelu(at::linear(h, weights[l], biases[l]));
    h.square().mean().backward();
  }
}
