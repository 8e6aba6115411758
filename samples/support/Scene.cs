namespace PostTrain.Samples.Support;

/// <summary>Coloured shapes in cells of a grid.</summary>
/// <param name="Items">Shape, colour and cell, 0 to 15 row by row, in the order of the cells.</param>
public sealed record Scene(IReadOnlyList<(char Shape, char Colour, int Cell)> Items)
{
    /// <summary>The scene in words.</summary>
    public string Description => string.Concat(Items.Select(item => $"{item.Shape}{item.Colour}{item.Cell / 4}{item.Cell % 4} "));
}
