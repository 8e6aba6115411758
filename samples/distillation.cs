#:project ../src/PostTrain/PostTrain.csproj
#:package TorchSharp-cpu
#:property PublishAot=false
// Distillation: a smaller student learns a teacher's distribution over every token.
using PostTrain.Data;
using PostTrain.Distillation;
using PostTrain.Models;
using PostTrain.Text;

var folder = "samples/models/arithmetic-base"; // or any directory from Hugging Face
using var teacher = Pretrained.Load(folder);
using var student = Decoder.Create(teacher.Config with { Layers = 1 }, seed: 1);
var tokenizer = TokenizerFiles.Load(folder);
var sums = Enumerable.Range(100, 400).Select(i => new Demonstration($"{i}+{i + 123}=", $"<answer>{2 * i + 123}</answer>")).ToArray();

var options = new DistillationOptions
{
    Steps = 20,
    BatchSize = 16,
    LearningRate = 1e-3,
    Divergence = Divergence.ForwardKl,
};
using var trainer = new DistillationTrainer(student, tokenizer, ReferencePolicy.Of(teacher), options);
foreach (var report in trainer.Run(sums))
    Console.WriteLine($"{report.Step, 3}  loss {report.Loss:F4}  agreement {report.Metrics["agreement"]:P0}");

Pretrained.Save(student, tokenizer, "artifacts/distillation");
