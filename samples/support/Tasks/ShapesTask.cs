using System.Globalization;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Rewards;
using PostTrain.Text;
using PostTrain.Vision;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Samples.Support;

/// <summary>Pictures of 16 by 16 pixels with one to four coloured shapes in the cells of a grid of four by four, descriptions of them, and
/// questions about number, colour and place.</summary>
/// <remarks>A description is <c>sr12 xg30 </c>: shape (s square, x cross, o ring), colour (r, g, b), row and column. Questions: <c>n=r</c>,
/// how many are red; <c>c=s</c>, the colour of the only square; <c>p=s</c>, its row and column.</remarks>
public static class ShapesTask
{
    /// <summary>The letters of the kinds of questions: number, colour, place.</summary>
    public const string Kinds = "ncp";

    private const int Cells = 4,
        CellPixels = 4;

    private const string Shapes = "sxo",
        Colours = "rgb";

    private static readonly string[] Patterns = ["1111100110011111", "1001011001101001", "0110100110010110"];

    /// <summary>Letters, digits, signs, and the token that stands for a picture in files.</summary>
    public static CharacterTokenizer Tokenizer() => new("01234sxorgbncp= ", ["<image>"]);

    /// <summary>A decoder, an encoder and a projector with random starts.</summary>
    public static VisionLm Model(ulong seed, int width = 64)
    {
        var tokenizer = Tokenizer();
        var encoder = VisionEncoder.Create(
            new VisionConfig
            {
                ImageSize = Cells * CellPixels,
                PatchSize = CellPixels,
                HiddenSize = 48,
                Layers = 2,
                Heads = 4,
                FeedForwardSize = 96,
            },
            seed
        );
        return new VisionLm(
            Decoder.Create(SmallDecoder.Untied(tokenizer, context: 64, width, inner: 2 * width), seed),
            encoder,
            VisionProjector.Create(new VisionProjectorOptions { Inputs = encoder.Config.FeatureSize, Outputs = width }, seed)
        )
        {
            ImageTokenId = tokenizer.IdOf("<image>"),
        };
    }

    /// <summary>Draws scenes.</summary>
    /// <param name="count">Number of scenes.</param>
    /// <param name="seed">Seed; scenes of two seeds are drawn independently.</param>
    public static IReadOnlyList<Scene> Scenes(int count, ulong seed)
    {
        var random = new Random((int)seed);
        return
        [
            .. Enumerable
                .Range(0, count)
                .Select(_ => new Scene([
                    .. Enumerable
                        .Range(0, Cells * Cells)
                        .OrderBy(_ => random.Next())
                        .Take(random.Next(1, 5))
                        .Order()
                        .Select(cell => (Shapes[random.Next(3)], Colours[random.Next(3)], cell)),
                ])),
        ];
    }

    /// <summary>Paints scenes: [N,3,16,16], 0 or 1.</summary>
    public static Tensor Pictures(IReadOnlyList<Scene> scenes)
    {
        ArgumentNullException.ThrowIfNull(scenes);
        const int side = Cells * CellPixels;
        var pixels = new float[scenes.Count * 3 * side * side];
        for (int i = 0; i < scenes.Count; i++)
            foreach (var (shape, colour, cell) in scenes[i].Items)
                for (int dot = 0; dot < CellPixels * CellPixels; dot++)
                    if (Patterns[Shapes.IndexOf(shape, StringComparison.Ordinal)][dot] == '1')
                        pixels[
                            (
                                (i * 3 + Colours.IndexOf(colour, StringComparison.Ordinal)) * side
                                + cell / Cells * CellPixels
                                + dot / CellPixels
                            ) * side
                                + cell % Cells * CellPixels
                                + dot % CellPixels
                        ] = 1;
        return tensor(pixels, [scenes.Count, 3, side, side]);
    }

    /// <summary>The scenes' descriptions after their pictures, or alone.</summary>
    public static IReadOnlyList<Demonstration> Descriptions(IReadOnlyList<Scene> scenes) =>
        [.. scenes.Select((scene, i) => new Demonstration(PictureTokenizer.Mark(i), scene.Description))];

    /// <summary>Questions about scenes whose descriptions stand in the place of pictures: what a language model without eyes can
    /// learn.</summary>
    public static IReadOnlyList<Demonstration> TextQuestions(IReadOnlyList<Scene> scenes, ulong seed) =>
        [.. Questions(scenes, seed).Select((problem, i) => new Demonstration(scenes[i].Description + Asked(problem), problem.Answer!))];

    /// <summary>One question about each scene, whose picture stands before it; the kinds in turn, where a scene allows them.</summary>
    public static IReadOnlyList<Problem> Questions(IReadOnlyList<Scene> scenes, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(scenes);
        var random = new Random((int)seed);
        return [.. scenes.Select((scene, i) => Question(scene, i, random))];
    }

    /// <summary>A question's letter: n, c or p.</summary>
    public static char Kind(Problem problem) => Asked(problem)[0];

    /// <summary>1 for the right answer, else 0.</summary>
    public static IReward Right { get; } = Reward.Of("right", completion => IsRight(completion) ? 1 : 0);

    /// <summary>Returns true if a completion is the answer.</summary>
    public static bool IsRight(Completion completion)
    {
        ArgumentNullException.ThrowIfNull(completion);
        return completion.Finished && completion.Text == completion.Problem.Answer;
    }

    private static string Asked(Problem problem) => problem.Prompt.Text[^3..];

    private static Problem Question(Scene scene, int index, Random random)
    {
        char kind = Kinds[index % 3];
        char[] single = [.. Shapes.Where(shape => scene.Items.Count(item => item.Shape == shape) == 1)];
        if (kind == 'n' || single.Length == 0)
        {
            char colour = Colours[random.Next(3)];
            return new Problem(
                $"{PictureTokenizer.Mark(index)}n={colour}",
                scene.Items.Count(item => item.Colour == colour).ToString(CultureInfo.InvariantCulture)
            );
        }
        char chosen = single[random.Next(single.Length)];
        var asked = scene.Items.Single(item => item.Shape == chosen);
        return new Problem(
            $"{PictureTokenizer.Mark(index)}{kind}={asked.Shape}",
            kind == 'c' ? $"{asked.Colour}" : $"{asked.Cell / Cells}{asked.Cell % Cells}"
        );
    }
}

/// <summary>Coloured shapes in cells of a grid.</summary>
/// <param name="Items">Shape, colour and cell, 0 to 15 row by row, in the order of the cells.</param>
public sealed record Scene(IReadOnlyList<(char Shape, char Colour, int Cell)> Items)
{
    /// <summary>The scene in words.</summary>
    public string Description => string.Concat(Items.Select(item => $"{item.Shape}{item.Colour}{item.Cell / 4}{item.Cell % 4} "));
}
