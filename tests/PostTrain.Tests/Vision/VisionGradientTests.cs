using PostTrain.Data;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using PostTrain.Training;
using PostTrain.Vision;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Vision;

/// <summary>GRPO's update on pictures against REINFORCE worked out from the model's own logits. Answers have one token, so that all of them
/// can be enumerated; of two questions about two pictures each has its own right answers.</summary>
public sealed class VisionGradientTests
{
    private static readonly int V = Toy.Tokenizer.VocabularySize;
    private static readonly string[] Prompts = [PictureTokenizer.Mark(2) + "ab=", "c" + PictureTokenizer.Mark(0)];

    /// <summary>−1/N·Σᵢ (rᵢ − r̄)·∇log p(aᵢ), r̄ the mean of the group, with the answers that were drawn. Micro-batches cut the groups, and
    /// the prompts differ in length, so that rows are padded.</summary>
    [Fact]
    public async Task Update_IsReinforceOnTheDrawnAnswers()
    {
        var (step, drawn) = await StepAsync(groupSize: 8, microBatch: 5);
        Assert.Equal([8, 8], drawn.Select(answers => answers.Count));
        Assert.Contains(new[] { 0, 1 }, question => drawn[question].Select(token => Score(question, token)).Distinct().Count() == 2);
        Tensor Objective(VisionLm model, bool swapped)
        {
            Tensor total = zeros(1);
            for (int question = 0; question < 2; question++)
            {
                var logProbs = LogProbs(model, question, swapped);
                double[] rewards = [.. drawn[question].Select(token => Score(question, token))];
                double mean = rewards.Average();
                for (int i = 0; i < rewards.Length; i++)
                    total = total - logProbs[drawn[question][i]] * ((rewards[i] - mean) / 16);
            }
            return total;
        }
        double[] wanted = Gradient(model => Objective(model, swapped: false));
        Assert.True(Distance(step, wanted) < 1e-4, $"{Distance(step, wanted)} from REINFORCE");
        // With the pictures exchanged between the rows it would be another gradient.
        Assert.True(Distance(step, Gradient(model => Objective(model, swapped: true))) > 0.05);
    }

    /// <summary>Over many answers the update is the gradient of the expected reward, −½·Σ_q Σₐ r(q, a)·∇p(a|q) with all answers
    /// enumerated.</summary>
    [Fact]
    public async Task Update_IsTheGradientOfTheExpectedReward()
    {
        var (step, _) = await StepAsync(groupSize: 4096, microBatch: 2048);
        Tensor Objective(VisionLm model, bool swapped)
        {
            Tensor total = zeros(1);
            for (int question = 0; question < 2; question++)
            {
                var probabilities = LogProbs(model, question, swapped).exp();
                for (int token = 0; token < V; token++)
                    total = total - probabilities[token] * (Score(question, token) / 2);
            }
            return total;
        }
        double near = Distance(step, Gradient(model => Objective(model, swapped: false))),
            far = Distance(step, Gradient(model => Objective(model, swapped: true)));
        // Of 4096 answers a mean is about 1/64 of a single answer's spread from its expectation.
        Assert.True(near < 0.15, $"{near} from the gradient of the expected reward");
        Assert.True(far > 2 * near, $"{far} with exchanged pictures, {near} without");
    }

    private static double Score(int question, int token) =>
        question == 0 ? token % 2
        : token % 3 == 0 ? 1
        : 0;

    // The change of all parameters by one step of plain gradient descent at rate 1, with the sign of a gradient, and the answers.
    private static async Task<(double[] Step, List<int>[] Drawn)> StepAsync(int groupSize, int microBatch)
    {
        using var model = Model();
        var drawn = new[] { new List<int>(), new List<int>() };
        double[] before = Values(model);
        int end = Toy.Tokenizer.EndOfSequenceId!.Value;
        using var trainer = new GrpoTrainer(
            model,
            new PictureTokenizer(Toy.Tokenizer, model),
            Reward.Of(
                "answers",
                completion =>
                {
                    int question = Array.IndexOf(Prompts, completion.Problem.Prompt.Text),
                        token = completion.Tokens.Length > 0 ? completion.Tokens[0] : end;
                    lock (drawn)
                        drawn[question].Add(token);
                    return Score(question, token);
                }
            ),
            new GrpoOptions
            {
                Steps = 1,
                BatchSize = 2,
                GroupSize = groupSize,
                MicroBatchSize = microBatch,
                LearningRate = 1,
                MaxGradNorm = double.PositiveInfinity,
                Optimizer = OptimizerChoice.Sgd(),
                Objective = PolicyObjectives.DrGrpo(1),
                Sampling = new SamplingOptions { MaxNewTokens = 1 },
            }
        );
        await foreach (var _ in trainer.RunAsync([new Problem(Prompts[0]), new Problem(Prompts[1])])) { }
        return ([.. before.Zip(Values(model), (old, changed) => old - changed)], drawn);
    }

    private static VisionLm Model()
    {
        var model = VisionToy.Model();
        model.Train(VisionParts.Language | VisionParts.Projector | VisionParts.Encoder);
        return model;
    }

    // Log-probs of the first answer's token, from ids that are written down here.
    private static Tensor LogProbs(VisionLm model, int question, bool swapped)
    {
        long[] Picture(int picture) => [.. Enumerable.Range(0, 4).Select(feature => (long)(V + picture * 4 + feature))];
        long[] Text(string text) => [.. Toy.Tokenizer.Encode(text).Select(id => (long)id)];
        long[] ids = question == 0 ? [.. Picture(swapped ? 0 : 2), .. Text("ab=")] : [.. Text("c"), .. Picture(swapped ? 2 : 0)];
        return model.call(tensor(ids).unsqueeze(0))[0][^1].log_softmax(0);
    }

    private static double[] Gradient(Func<VisionLm, Tensor> objective)
    {
        using var scope = NewDisposeScope();
        using var model = Model();
        objective(model).sum().backward();
        return
        [
            .. model
                .parameters()
                .SelectMany(parameter =>
                    parameter.grad is { IsInvalid: false } given ? Numbers.Values(given) : new double[(int)parameter.numel()]
                ),
        ];
    }

    private static double[] Values(VisionLm model)
    {
        using var scope = NewDisposeScope();
        return [.. model.parameters().SelectMany(parameter => Numbers.Values(parameter.detach()))];
    }

    private static double Distance(double[] given, double[] wanted) => Norm(given.Zip(wanted, (x, y) => x - y)) / Norm(wanted);

    private static double Norm(IEnumerable<double> values) => Math.Sqrt(values.Sum(value => value * value));
}
