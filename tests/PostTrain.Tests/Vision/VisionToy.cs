using PostTrain.Models;
using PostTrain.Tests.Support;
using PostTrain.Vision;
using static TorchSharp.torch;

namespace PostTrain.Tests.Vision;

/// <summary>A small model that reads pictures of 4 by 4 pixels in four patches.</summary>
internal static class VisionToy
{
    internal static readonly VisionConfig Pictures = new()
    {
        ImageSize = 4,
        PatchSize = 2,
        HiddenSize = 8,
        Layers = 2,
        Heads = 2,
    };

    internal static VisionLm Model(ulong seed = 1, bool tied = true, int context = 24, int pictures = 3) =>
        Of(
            Decoder.Create(
                new DecoderConfig
                {
                    VocabularySize = Toy.Tokenizer.VocabularySize,
                    ContextLength = context,
                    HiddenSize = 16,
                    Layers = 2,
                    Heads = 2,
                    FeedForwardSize = 32,
                    TiedEmbeddings = tied,
                },
                seed
            ),
            seed,
            pictures
        );

    internal static VisionLm Of(CausalLm language, ulong seed, int pictures)
    {
        var model = new VisionLm(
            language,
            VisionEncoder.Create(Pictures, seed),
            VisionProjector.Create(new VisionProjectorOptions { Inputs = 8, Outputs = language.HiddenSize }, seed + 1)
        )
        {
            ImageTokenId = 0,
        };
        if (pictures == 0)
            return model;
        using var scope = NewDisposeScope();
        model.Show(Drawn(pictures));
        return model;
    }

    internal static Tensor Drawn(int count) => Numbers.Uniform(7, 1, count, 3, 4, 4).to_type(ScalarType.Float32);
}
