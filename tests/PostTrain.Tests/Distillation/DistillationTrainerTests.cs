using PostTrain.Data;
using PostTrain.Distillation;
using PostTrain.Models;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using PostTrain.Tests.Training;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Distillation;

[Collection("Sequential")]
public sealed class DistillationTrainerTests
{
    private static readonly Demonstration[] Given = [new("0=", "ab"), new("1+1=", "bcd"), new("2=", "aab"), new("7=", "")];
    private static readonly Problem[] Problems = [new("0=", "ab"), new("1+1=", "bcd"), new("2=", "aab"), new("7=", "c")];

    internal static string[] OfflineNames { get; } = ["forward", "reverse", "jsd", "top", "labels"];

    internal static string[] OnPolicyNames { get; } = ["gkd", "mixed", "minillm", "token", "token-twice"];

    public static TheoryData<string> Offline => [.. OfflineNames];

    public static TheoryData<string> OnPolicy => [.. OnPolicyNames];

    [Theory]
    [MemberData(nameof(Offline))]
    public void Run_Learns(string name)
    {
        using var model = Toy.Model();
        var reports = Train(name, model, steps: 40);
        Assert.True(
            reports[^1].Loss < (name == "labels" ? 0.8 : 0.3) * reports[0].Loss,
            $"the loss went from {reports[0].Loss} to {reports[^1].Loss}"
        );
    }

    // Σ p log(p/q) at each completion token and the end of sequence, from the models' log-probabilities.
    [Fact]
    public void Evaluate_IsTheFormulaOfTheModelsDistributions()
    {
        using var student = Toy.Model(type: ScalarType.Float64);
        using var teacher = Toy.Model(seed: 4, type: ScalarType.Float64);
        List<(double Kl, double Nll)> tokens = [];
        foreach (var (prompt, completion) in Given)
        {
            int start = Toy.Tokenizer.Encode(prompt).Length;
            int[] ids = [.. Toy.Tokenizer.Encode(prompt + completion), Toy.Tokenizer.EndOfSequenceId!.Value];
            var (q, p) = (Toy.LogProbs(student, ids), Toy.LogProbs(teacher, ids));
            for (int t = start; t < ids.Length; t++)
                tokens.Add((p[t - 1].Zip(q[t - 1], (a, b) => Math.Exp(a) * (a - b)).Sum(), -q[t - 1][ids[t]]));
        }
        using var plain = new DistillationTrainer(student, Toy.Tokenizer, ReferencePolicy.Of(teacher), new DistillationOptions());
        Assert.Equal(tokens.Average(token => token.Kl), plain.Evaluate(Given)["eval/loss"], 1e-12);
        Assert.Equal(tokens.Average(token => token.Nll), plain.Evaluate(Given)["eval/nll"], 1e-12);
        using var labels = new DistillationTrainer(
            student,
            Toy.Tokenizer,
            ReferencePolicy.Of(teacher),
            new DistillationOptions { LabelWeight = 0.25 }
        );
        Assert.Equal(tokens.Average(token => 0.25 * token.Nll + 0.75 * token.Kl), labels.Evaluate(Given)["eval/loss"], 1e-12);
    }

    [Theory]
    [MemberData(nameof(OnPolicy))]
    public async Task OnPolicy_StudentComesNearToTheTeacher(string name)
    {
        using var model = Toy.Model();
        double before = Distance(model);
        var reports = await Sampled(name, model, steps: 40);
        Assert.True(Distance(model) < 0.7 * before, $"the reverse KL went from {before} to {Distance(model)}");
        Assert.DoesNotContain("reward/mean", reports[0].Metrics.Keys);
        Assert.Equal(name == "mixed" ? 2 : 1, reports.Select(report => report.Metrics["student_samples"]).Distinct().Count());
        Assert.All(reports, report => Assert.Equal(report.Metrics["student_samples"] == 1, report.Metrics.ContainsKey("kl")));
    }

    // Without a single sample of the student the step is the offline trainer's on the same answers.
    [Fact]
    public async Task OnPolicy_ShareOfNothing_IsTheOfflineTrainer()
    {
        using var sampled = Toy.Model(type: ScalarType.Float64);
        using var given = Toy.Model(type: ScalarType.Float64);
        using var teacher = Toy.Model(seed: 4, type: ScalarType.Float64);
        using var onPolicy = new OnPolicyDistillationTrainer(
            sampled,
            Toy.Tokenizer,
            ReferencePolicy.Of(teacher),
            new OnPolicyDistillationOptions
            {
                StudentShare = 0,
                BatchSize = 4,
                Objective = OnPolicyObjective.Gkd(0.3),
                LearningRate = 1e-2,
            }
        );
        using var offline = new DistillationTrainer(
            given,
            Toy.Tokenizer,
            ReferencePolicy.Of(teacher),
            new DistillationOptions { Divergence = Divergence.GeneralizedJsd(0.3), LearningRate = 1e-2 }
        );
        var one = await onPolicy.StepAsync(Problems);
        var two = offline.Step([.. Problems.Select(problem => new Demonstration(problem.Prompt, problem.Answer!))]);
        Assert.Equal(two.Loss, one.Loss, 1e-12);
        Assert.Equal(two.Metrics["grad_norm"], one.Metrics["grad_norm"], 1e-12);
        Assert.Equal(two.Metrics["agreement"], one.Metrics["agreement"], 1e-12);
    }

    [Fact]
    public async Task Run_LeaksNothing_AndTheTeacherKeepsItsBytes()
    {
        using var teacher = Toy.Model(seed: 4);
        var before = Toy.Bytes(teacher);
        foreach (var name in Offline)
        {
            using var model = Toy.Model();
            var alive = Run(name, model, teacher, new TrainerRun(6))
                .Select(_ => DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount)
                .ToArray();
            Assert.Single(alive[2..].Distinct());
        }
        foreach (var name in OnPolicy)
        {
            using var model = Toy.Model();
            List<long> alive = [];
            using var trainer = Online(name, model, teacher, new TrainerRun(6));
            await foreach (var report in trainer.RunAsync(Problems))
                alive.Add(DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
            Assert.Single(alive[2..].Distinct());
        }
        Assert.Equal(before, Toy.Bytes(teacher));
    }

    [Fact]
    public async Task Refusals_NameWhatWasGiven()
    {
        using var model = Toy.Model();
        using var other = Decoder.Create(((Decoder)Toy.Model()).Config with { VocabularySize = 7 }, 0);
        var error = Assert.Throws<ArgumentException>(() =>
            new DistillationTrainer(model, Toy.Tokenizer, ReferencePolicy.Of(other), new DistillationOptions())
        );
        Assert.Contains("teacher has a vocabulary of 7", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            new DistillationTrainer(model, Toy.Tokenizer, ReferencePolicy.Of(model), new DistillationOptions { LabelWeight = 1.5 })
        );
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            new OnPolicyDistillationTrainer(
                model,
                Toy.Tokenizer,
                ReferencePolicy.Of(model),
                new OnPolicyDistillationOptions { StudentShare = 0.5, Objective = OnPolicyObjective.PerToken() }
            )
        );
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            new OnPolicyDistillationTrainer(
                model,
                Toy.Tokenizer,
                ReferencePolicy.Of(model),
                new OnPolicyDistillationOptions { UpdatesPerBatch = 2, Objective = OnPolicyObjective.MiniLlm() }
            )
        );
        using var given = new OnPolicyDistillationTrainer(
            model,
            Toy.Tokenizer,
            ReferencePolicy.Of(model),
            new OnPolicyDistillationOptions { StudentShare = 0 }
        );
        Assert.Contains(
            "the problem '3=' has no answer",
            (await Assert.ThrowsAsync<ArgumentException>(() => given.StepAsync([new Problem("3=")]))).Message,
            StringComparison.Ordinal
        );
    }

    // The mean reverse KL over the tokens of all prompts and answers.
    private static double Distance(CausalLm student)
    {
        using var teacher = Toy.Model(seed: 4);
        return Problems.Average(problem =>
        {
            int[] ids = Toy.Tokenizer.Encode(problem.Prompt + problem.Answer!);
            var (q, p) = (Toy.LogProbs(student, ids), Toy.LogProbs(teacher, ids));
            return q.Zip(p, (a, b) => a.Zip(b, (x, y) => Math.Exp(x) * (x - y)).Sum()).TakeLast(problem.Answer!.Length).Average();
        });
    }

    private static StepReport[] Train(string name, CausalLm model, int steps) => Train(name, model, new TrainerRun(steps));

    internal static StepReport[] Train(string name, CausalLm model, TrainerRun run)
    {
        using var teacher = Toy.Model(seed: 4, type: model.parameters().First().dtype);
        return [.. Run(name, model, teacher, run)];
    }

    private static IEnumerable<StepReport> Run(string name, CausalLm model, CausalLm teacher, TrainerRun run)
    {
        var options = name switch
        {
            "reverse" => new DistillationOptions { Divergence = Divergence.ReverseKl, Temperature = 2 },
            "jsd" => new DistillationOptions { Divergence = Divergence.GeneralizedJsd(0.5) },
            "top" => new DistillationOptions { Support = DistillationSupport.TopK(5) },
            _ => new DistillationOptions(),
        };
        using var trainer = new DistillationTrainer(
            model,
            Toy.Tokenizer,
            ReferencePolicy.Of(teacher),
            options with
            {
                Steps = run.Steps,
                BatchSize = 4,
                MicroBatchSize = run.MicroBatch,
                Distributed = run.Distributed,
                Optimizer = run.Optimizer,
                LearningRate = 1e-2,
                CheckpointDirectory = run.Directory,
                CheckpointEvery = TrainerRun.CheckpointEvery,
                LabelWeight = name == "labels" ? 0.5 : 0,
            }
        );
        if (run.Resume is not null)
            trainer.Resume(run.Resume);
        foreach (var report in trainer.Run(Given))
            yield return report;
    }

    private static Task<StepReport[]> Sampled(string name, CausalLm model, int steps) => Sampled(name, model, new TrainerRun(steps));

    internal static async Task<StepReport[]> Sampled(string name, CausalLm model, TrainerRun run)
    {
        using var teacher = Toy.Model(seed: 4, type: model.parameters().First().dtype);
        using var trainer = Online(name, model, teacher, run);
        if (run.Resume is not null)
            trainer.Resume(run.Resume);
        List<StepReport> reports = [];
        await foreach (var report in trainer.RunAsync(Problems))
            reports.Add(report);
        return [.. reports];
    }

    private static OnPolicyDistillationTrainer Online(string name, CausalLm model, CausalLm teacher, TrainerRun run) =>
        new(
            model,
            Toy.Tokenizer,
            ReferencePolicy.Of(teacher),
            new OnPolicyDistillationOptions
            {
                Steps = run.Steps,
                BatchSize = 4,
                GroupSize = 4,
                MicroBatchSize = run.MicroBatch,
                Distributed = run.Distributed,
                Optimizer = run.Optimizer,
                LearningRate = 1e-2,
                CheckpointDirectory = run.Directory,
                CheckpointEvery = TrainerRun.CheckpointEvery,
                Sampling = new SamplingOptions { MaxNewTokens = 4, SuppressedTokens = [Toy.Tokenizer.PaddingId] },
                Objective = name switch
                {
                    "minillm" => OnPolicyObjective.MiniLlm(),
                    "token" => OnPolicyObjective.PerToken(),
                    "token-twice" => OnPolicyObjective.PerToken(ratioCap: 2),
                    _ => OnPolicyObjective.Gkd(1),
                },
                UpdatesPerBatch = name == "token-twice" ? 2 : 1,
                StudentShare = name == "mixed" ? 0.5 : 1,
            }
        );
}
