#:project ../src/PostTrain/PostTrain.csproj
#:package TorchSharp-cpu
#:property PublishAot=false
// A policy-gradient method of one's own as a composition: an advantage, a surrogate and a KL term.
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Policy.Estimators;
using PostTrain.Policy.Losses;
using PostTrain.Rewards;
using PostTrain.Text;
using static TorchSharp.torch;

var folder = "samples/models/arithmetic-base"; // or any directory from Hugging Face
using var model = Pretrained.Load(folder);
using var frozen = Pretrained.Load(folder);
var tokenizer = TokenizerFiles.Load(folder);
var problems = Enumerable.Range(100, 400).Select(i => new Problem($"{i}+{i + 123}=", $"{2 * i + 123}")).ToArray();

var middle = AdvantageMethod.OfRewards("above the middle", (rewards, size) => Centred(rewards.view(-1, size)), leastGroup: 2);
var capped = PolicySurrogate.Of("capped ratio", inputs => -inputs.Exponent.exp().clamp_max(2) * inputs.Advantages);
var options = new GrpoOptions
{
    Steps = 10,
    LearningRate = 1e-3,
    Objective = PolicyObjectives.Grpo() with { Name = "mine", Advantage = middle, Surrogate = capped, Beta = 0.02 },
    Reference = ReferencePolicy.Of(frozen),
};
using var trainer = new GrpoTrainer(model, tokenizer, Reward.MathAnswer(), options);
await foreach (var report in trainer.RunAsync(problems))
    Console.WriteLine($"{report.Step, 3}  reward {report.Metrics["reward/mean"]:F3}  kl {report.Metrics["kl"]:F4}");

Pretrained.Save(model, tokenizer, "artifacts/own-method");

// Each reward less the middle of its group's best and worst.
static Tensor Centred(Tensor groups) => (groups - (groups.amax([1], true) + groups.amin([1], true)) * 0.5).view(-1);
