using PostTrain.Adapters;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Preference;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Tests.Models;
using PostTrain.Tests.Support;
using PostTrain.Training;
using PostTrain.Vision;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Vision;

public sealed class VisionLmTests
{
    private static readonly int V = Toy.Tokenizer.VocabularySize;

    private static Tensor Row(params long[] ids) => tensor(ids, [1, ids.Length]);

    [Fact]
    public void Embed_PutsEachPicturesFeaturesWhereItsIdsStand()
    {
        using var scope = NewDisposeScope();
        using var model = VisionToy.Model();
        Assert.Equal((4, 3, V + 12), (model.FeatureCount, model.PictureCount, model.InputVocabularySize));
        var features = model.Projector.call(model.Encoder.call(VisionToy.Drawn(3)));
        // Two rows: picture 2 whole and a piece of picture 0; picture 2 again, backwards.
        var ids = tensor([5, V + 8, V + 9, V + 10, V + 11, 6, V + 1, V + 11, V + 10, 3, 4, 7, V + 8, 2], [2, 7], dtype: ScalarType.Int64);
        var embedded = model.Embed(ids);
        TensorAssert.Close(features[2], embedded[0].narrow(0, 1, 4), 1e-6);
        TensorAssert.Close(features[0][1], embedded[0][6], 1e-6);
        TensorAssert.Close(features[2][3], embedded[1][0], 1e-6);
        TensorAssert.Close(features[2][0], embedded[1][5], 1e-6);
        TensorAssert.Same(model.Language.Embed(Row(5, 6)), stack([embedded[0][0], embedded[0][5]], 0).unsqueeze(0));
        Assert.Contains(
            $"ids holds {V + 12}, expected ids from 0 to {V + 11}",
            Assert.Throws<ArgumentException>(() => model.Embed(Row(V + 12))).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void TextWithoutPictures_IsTheLanguageModels_ToTheBit()
    {
        using var scope = NewDisposeScope();
        using var model = VisionToy.Model();
        TensorAssert.Same(model.Language.call(Row(1, 5, 3)), model.call(Row(1, 5, 3)));
    }

    [Fact]
    public void Gradient_ReachesEveryPartAndOnlyTheShownPictures()
    {
        using var scope = NewDisposeScope();
        using var model = VisionToy.Model();
        model.Train(VisionParts.Projector | VisionParts.Language | VisionParts.Encoder);
        var first = Gradients(model, Row(3, V, V + 1, V + 2, V + 3, 4));
        // Another picture in a place that no text names changes nothing.
        var pictures = VisionToy.Drawn(3);
        pictures[2].add_(1);
        model.Show(pictures);
        Assert.Equal(first, Gradients(model, Row(3, V, V + 1, V + 2, V + 3, 4)));
        pictures[0].add_(1);
        model.Show(pictures);
        Assert.NotEqual(first, Gradients(model, Row(3, V, V + 1, V + 2, V + 3, 4)));
        foreach (var (name, parameter) in model.named_parameters())
            Assert.True(
                parameter.grad is { } gradient && gradient.abs().sum().ToDouble() > 0
                    // The last layer and the last norm come after the features.
                    || name.Contains("encoder.layers.1.", StringComparison.Ordinal)
                    || name.Contains("post_layernorm", StringComparison.Ordinal),
                name
            );
    }

    [Theory]
    [InlineData(VisionParts.Projector)]
    [InlineData(VisionParts.Projector | VisionParts.Language)]
    [InlineData(VisionParts.Encoder)]
    public void Sft_ChangesTheChosenPartsOnly(VisionParts parts)
    {
        using var model = VisionToy.Model();
        model.Train(parts);
        (byte[] Language, byte[] Encoder, byte[] Projector) Bytes() =>
            (Toy.Bytes(model.Language), Toy.Bytes(model.Encoder), Toy.Bytes(model.Projector));
        var before = Bytes();
        var tokenizer = new PictureTokenizer(Toy.Tokenizer, model);
        // Prompts of several lengths, with the picture before and behind the words.
        Demonstration[] data =
        [
            new(PictureTokenizer.Mark(0) + "a=", "1"),
            new("ab" + PictureTokenizer.Mark(1) + "=", "22"),
            new("c=", "3"),
            new("abcdef" + PictureTokenizer.Mark(2), "1"),
        ];
        using var trainer = new SftTrainer(
            model,
            tokenizer,
            new SftOptions
            {
                Steps = 3,
                BatchSize = 4,
                MicroBatchSize = 2,
                LearningRate = 1e-2,
            }
        );
        Assert.All(trainer.Run(data), report => Assert.True(double.IsFinite(report.Loss)));
        var after = Bytes();
        Assert.Equal(parts.HasFlag(VisionParts.Language), !before.Language.AsSpan().SequenceEqual(after.Language));
        Assert.Equal(parts.HasFlag(VisionParts.Encoder), !before.Encoder.AsSpan().SequenceEqual(after.Encoder));
        Assert.Equal(parts.HasFlag(VisionParts.Projector), !before.Projector.AsSpan().SequenceEqual(after.Projector));
    }

    [Fact]
    public async Task GrpoAndDpo_TrainOnPictures()
    {
        using var model = VisionToy.Model();
        model.Train(VisionParts.Projector | VisionParts.Language);
        var tokenizer = new PictureTokenizer(Toy.Tokenizer, model);
        var before = Toy.Bytes(model.Projector);
        using (
            var trainer = new GrpoTrainer(
                model,
                tokenizer,
                Reward.Of("even", completion => completion.Tokens[0] % 2 == 0 ? 1 : 0),
                new GrpoOptions
                {
                    Steps = 2,
                    BatchSize = 2,
                    GroupSize = 4,
                    LearningRate = 1e-2,
                    Objective = PolicyObjectives.DrGrpo(3),
                    Sampling = new SamplingOptions { MaxNewTokens = 3 },
                }
            )
        )
        {
            await foreach (var report in trainer.RunAsync([new(PictureTokenizer.Mark(0) + "a="), new("b" + PictureTokenizer.Mark(2))]))
                // The update's log-probs are those that the sampler recorded.
                Assert.Equal(0, report.Metrics["policy/clip_fraction"]);
        }
        Assert.NotEqual(before, Toy.Bytes(model.Projector));
        using var reference = VisionToy.Model();
        using var dpo = new DpoTrainer(
            model,
            tokenizer,
            reference,
            new DpoOptions
            {
                Steps = 2,
                BatchSize = 2,
                LearningRate = 1e-2,
            }
        );
        Assert.All(
            dpo.Run([new(PictureTokenizer.Mark(1) + "a=", "1", "2"), new("ab" + PictureTokenizer.Mark(0) + "=", "12", "3")]),
            report => Assert.True(double.IsFinite(report.Loss))
        );
    }

    [Fact]
    public void Greedy_WithACache_IsTheWholePassAgain_InAPaddedBatch()
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        using var model = VisionToy.Model();
        var tokenizer = new PictureTokenizer(Toy.Tokenizer, model);
        int[][] prompts = [tokenizer.Encode(PictureTokenizer.Mark(1) + "a"), tokenizer.Encode("abcd" + PictureTokenizer.Mark(0) + "+1=")];
        using var drawn = Sampler.Generate(model, prompts, new SamplingOptions { Temperature = 0, MaxNewTokens = 5 }, 0, 0);
        for (int row = 0; row < prompts.Length; row++)
        {
            var ids = prompts[row].Select(id => (long)id).ToList();
            foreach (int token in drawn.Completions[row])
            {
                Assert.Equal(token, model.call(Row([.. ids]))[0][^1].argmax().ToInt64());
                ids.Add(token);
            }
        }
    }

    [Fact]
    public void AnyLanguageModel_AndAnAdapter_ReadPictures()
    {
        using var scope = NewDisposeScope();
        using var model = VisionToy.Of(TinyModels.Create("gpt2", ScalarType.Float32), 1, 2);
        Assert.Equal(16, model.HiddenSize);
        TensorAssert.Finite(model.call(Row(1, 23, 24, 25, 26, 2)));
        using var adapted = AdaptedModel.Attach(model, new LoraOptions { Targets = ["linear_1", "c_attn"], Rank = 2 });
        Assert.Contains(adapted.TrainableParameters, item => item.Name.Contains("multi_modal_projector", StringComparison.Ordinal));
    }

    [Fact]
    public void PartsThatDoNotFit_AreRefused()
    {
        using var scope = NewDisposeScope();
        using var language = Toy.Model();
        using var encoder = VisionEncoder.Create(VisionToy.Pictures, 1);
        using var projector = VisionProjector.Create(new VisionProjectorOptions { Inputs = 8, Outputs = 15 }, 1);
        Assert.Contains(
            "maps 8 to 15, expected 8, the encoder's features, to 16",
            Assert.Throws<ArgumentException>(() => new VisionLm(language, encoder, projector)).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "expected floating point [N,3,4,4]",
            Assert.Throws<ArgumentException>(() => encoder.call(zeros(1, 3, 4, 5))).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentException>(() => encoder.call(zeros(3, 4, 4)));
        Assert.Throws<ArgumentException>(() => encoder.call(zeros([1, 3, 4, 4], dtype: ScalarType.Int64)));
        Assert.Throws<ArgumentException>(() => projector.call(zeros(2, 7)));
        foreach (
            var config in (VisionConfig[])
                [
                    VisionToy.Pictures with
                    {
                        PatchSize = 3,
                    },
                    VisionToy.Pictures with
                    {
                        Heads = 3,
                    },
                    VisionToy.Pictures with
                    {
                        FeatureLayers = [],
                    },
                    VisionToy.Pictures with
                    {
                        FeatureLayers = [3],
                    },
                    VisionToy.Pictures with
                    {
                        Layers = 0,
                    },
                    VisionToy.Pictures with
                    {
                        ImageSize = 0,
                    },
                ]
        )
            Assert.ThrowsAny<ArgumentException>(() => VisionEncoder.Create(config, 1));
    }

    [Fact]
    public void Tokenizer_WritesAndReadsPictures()
    {
        using var model = VisionToy.Model();
        var tokenizer = new PictureTokenizer(Toy.Tokenizer, model);
        string text = "ab" + PictureTokenizer.Mark(2) + "=" + PictureTokenizer.Mark(0);
        int[] ids = tokenizer.Encode(text);
        Assert.Equal(
            [.. Toy.Tokenizer.Encode("ab"), V + 8, V + 9, V + 10, V + 11, .. Toy.Tokenizer.Encode("="), V, V + 1, V + 2, V + 3],
            ids
        );
        Assert.Equal(text, tokenizer.Decode(ids));
        Assert.Equal(V + 12, tokenizer.VocabularySize);
        // A part of a picture is no picture, and the mark of one that there is not is text, which this alphabet lacks.
        Assert.DoesNotContain(PictureTokenizer.Mark(2), tokenizer.Decode([V + 8, V + 9, V + 10]), StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => tokenizer.Encode(PictureTokenizer.Mark(3)));
        Assert.Throws<ArgumentOutOfRangeException>(() => PictureTokenizer.Mark(-1));
    }

    private static double[] Gradients(VisionLm model, Tensor ids)
    {
        using var scope = NewDisposeScope();
        model.zero_grad();
        (model.call(ids) * Numbers.Uniform(1, 1, 1, ids.shape[1], V).to_type(ScalarType.Float32)).sum().backward();
        return
        [
            .. model.parameters().Where(parameter => parameter.grad is not null).SelectMany(parameter => Numbers.Values(parameter.grad!)),
        ];
    }
}
