#:project ../../src/PostTrain/PostTrain.csproj
#:package TorchSharp-cpu
#:package Microsoft.Extensions.AI.OpenAI
#:package OpenAI
#:property PublishAot=false
// GRPO on the marks of a judge behind any OpenAI-compatible server, by the OpenAI package.
//   OPENAI_API_KEY=... dotnet run -c Release samples/experiments/judge.cs -- https://api.openai.com/v1 MODEL
//   dotnet run -c Release samples/experiments/judge.cs -- http://localhost:8000/v1 MODEL
using System.ClientModel;
using Microsoft.Extensions.AI;
using OpenAI;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards.Judges;
using PostTrain.Text;

if (args.Length != 2)
    throw new ArgumentException($"{args.Length} arguments are given, expected an address and a model");
var key = new ApiKeyCredential(Environment.GetEnvironmentVariable("OPENAI_API_KEY") ?? "none");
using var judge = new OpenAIClient(key, new OpenAIClientOptions { Endpoint = new Uri(args[0]) }).GetChatClient(args[1]).AsIChatClient();
var reward = Judge.Rubric(
    judge,
    new RubricOptions { Criteria = "Mark the answer to the sum: 10 if it is right, 1 if not.", Parallelism = 16 }
);

var folder = "samples/models/arithmetic-base"; // or any directory from Hugging Face
using var model = Pretrained.Load(folder);
var tokenizer = TokenizerFiles.Load(folder);
var problems = Enumerable.Range(100, 400).Select(i => new Problem($"{i}+{i + 123}=", $"{2 * i + 123}")).ToArray();
using var trainer = new GrpoTrainer(
    model,
    tokenizer,
    reward,
    new GrpoOptions
    {
        Steps = 5,
        BatchSize = 4,
        LearningRate = 1e-3,
    }
);
await foreach (var report in trainer.RunAsync(problems))
    Console.WriteLine($"{report.Step, 3}  mark {1 + 9 * report.Metrics["reward/mean"]:F2}");
