using PostTrain.Data;
using PostTrain.Data.Batches;
using PostTrain.Models;
using PostTrain.Preference;
using PostTrain.Preference.Batches;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Tests.Support;
using PostTrain.Text;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Supervised;

/// <summary>Training on completions of which spans are learnt: the turns of the assistant.</summary>
public sealed class LearntSpanTrainingTests
{
    private static readonly MarkedText Turns = new MarkedText("bc+0de") with { Learnt = [new(0, 2), new(4, 6)] };

    [Fact]
    public void SftLoss_IsTheMeanOverTheSpans_AndTheEnd()
    {
        using var model = Toy.Model(type: ScalarType.Float64);
        double[] nll = Nll(model, "a=bc+0de", [2, 3, 6, 7, 8]);
        using var trainer = new SftTrainer(model, Toy.Tokenizer, new SftOptions { Steps = 1, BatchSize = 1 });
        Assert.Equal(nll.Average(), trainer.Run([new("a=", Turns)]).Single().Loss, 1e-9);
    }

    [Fact]
    public void Packing_GivesTheSameLoss()
    {
        Demonstration[] data = [new("a=", Turns), new("0=", "12"), new("b", Turns)];
        double Loss(bool packing)
        {
            using var model = Toy.Model(type: ScalarType.Float64);
            using var trainer = new SftTrainer(
                model,
                Toy.Tokenizer,
                new SftOptions
                {
                    Steps = 1,
                    BatchSize = 3,
                    Packing = packing,
                }
            );
            return trainer.Run(data).Single().Loss;
        }
        Assert.Equal(Loss(false), Loss(true), 1e-12);
    }

    [Fact]
    public void PreferenceScores_AreSumsOverTheSpans()
    {
        using var model = Toy.Model(type: ScalarType.Float64);
        double chosen = -Nll(model, "a=bc+0de", [2, 3, 6, 7, 8]).Sum(),
            rejected = -Nll(model, "a=f", [2, 3]).Sum();
        using var trainer = new OrpoTrainer(model, Toy.Tokenizer, new OrpoOptions { Steps = 1, BatchSize = 1 });
        var report = trainer.Run([new("a=", Turns, "f")]).Single();
        Assert.Equal(chosen, report.Metrics["logp/chosen"], 1e-9);
        Assert.Equal(rejected, report.Metrics["logp/rejected"], 1e-9);
    }

    [Fact]
    public void KtoScores_AreSumsOverTheSpans_AndPartnersKeepTheirs()
    {
        using var model = Toy.Model(type: ScalarType.Float64);
        using var frozen = Toy.Model(type: ScalarType.Float64);
        double desirable = -Nll(model, "a=bc+0de", [2, 3, 6, 7, 8]).Sum();
        using var trainer = new KtoTrainer(model, Toy.Tokenizer, ReferencePolicy.Of(frozen), new KtoOptions { Steps = 1, BatchSize = 2 });
        var report = trainer.Run([new("a=", Turns, true), new("b=", "f", false)]).Single();
        Assert.Equal(desirable, report.Metrics["logp/chosen"], 1e-9);
        var turns = new KtoExample(TokenExample.Of("a=", Turns, Toy.Tokenizer), true);
        var plain = new KtoExample(TokenExample.Of("b=", "f", Toy.Tokenizer), false);
        Assert.Equal([false, false, true, true, false, false, true, true, true], plain.Mismatched(turns, 16).Learnt);
        Assert.Equal([false, false, true, true], turns.Mismatched(plain, 16).Learnt);
    }

    /// <summary>A prompt that ends with a space: what is learnt after it comes out after it, its first word included.</summary>
    [RealModelFact]
    public void OpenPrompts_OfARealTokenizer_AreAnsweredWithTheFirstWord()
    {
        string folder = RealModels.PathOf("stories260K-hf");
        using var model = Pretrained.Load(folder);
        var tokenizer = TokenizerFiles.Load(folder);
        Demonstration[] data =
        [
            new("user: cat assistant: ", "The cat sat."),
            new("user: dog assistant: ", "One dog ran."),
            new("user: sun assistant: ", "Tim was big."),
        ];
        using var trainer = new SftTrainer(
            model,
            tokenizer,
            new SftOptions
            {
                Steps = 60,
                BatchSize = 3,
                LearningRate = 3e-3,
            }
        );
        var reports = trainer.Run(data).ToArray();
        Assert.Equal(["joined-border"], reports[0].Warnings.Select(warning => warning.Name));
        Assert.InRange(reports[^1].Loss, 0, 0.1);
        model.eval();
        int[][] prompts = [.. data.Select(item => tokenizer.Encode(item.Prompt))];
        using var greedy = Sampler.Generate(
            model,
            prompts,
            new SamplingOptions { Temperature = 0, MaxNewTokens = 24 }.StoppingAt(model, tokenizer),
            1,
            tokenizer
        );
        Assert.Equal(
            data.Select(item => item.Prompt.Text + item.Completion.Text),
            prompts.Zip(greedy.Completions, (prompt, answer) => tokenizer.Decode([.. prompt, .. answer]))
        );
    }

    // Of tokens of a text with its end, by the model's own log-probs.
    private static double[] Nll(CausalLm model, string text, int[] places)
    {
        int[] ids = [.. Toy.Tokenizer.Encode(text), Toy.Tokenizer.EndOfSequenceId!.Value];
        var logProbs = Toy.LogProbs(model, ids);
        return [.. places.Select(place => -logProbs[place - 1][ids[place]])];
    }
}
