module wenlan

go 1.26
