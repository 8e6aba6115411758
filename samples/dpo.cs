#:project ../src/PostTrain/PostTrain.csproj
#:package TorchSharp-cpu
#:property PublishAot=false
// Direct preference optimisation: right answers are preferred to wrong ones; the reference is a copy of the start.
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Preference;
using PostTrain.Text;

var folder = "samples/models/arithmetic-base"; // or any directory from Hugging Face
using var model = Pretrained.Load(folder);
using var frozen = Pretrained.Load(folder);
var tokenizer = TokenizerFiles.Load(folder);
var pairs = Enumerable
    .Range(100, 400)
    .Select(i => new PreferencePair($"{i}+{i + 123}=", $"<answer>{2 * i + 123}</answer>", $"<answer>{2 * i + 23}</answer>"))
    .ToArray();

var options = new DpoOptions
{
    Steps = 20,
    BatchSize = 16,
    LearningRate = 1e-4,
    Beta = 0.1,
};
using var trainer = new DpoTrainer(model, tokenizer, ReferencePolicy.Of(frozen), options);
foreach (var report in trainer.Run(pairs))
    Console.WriteLine($"{report.Step, 3}  loss {report.Loss:F4}  accuracy {report.Metrics["reward/accuracy"]:P0}");

Pretrained.Save(model, tokenizer, "artifacts/dpo");
